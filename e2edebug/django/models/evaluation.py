"""How far the evaluator has come."""

from django.db import models

from e2edebug.django.fields import UtcDateTimeField


class Evaluation(models.Model):
    """The evaluator's place in time."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    version = models.BigIntegerField(default=0)
    evaluated_until = UtcDateTimeField(null=True, blank=True)
    newest_id = models.BigIntegerField(default=0)
    floor_id = models.BigIntegerField(default=0)
    floor_until = UtcDateTimeField(null=True, blank=True)
    evaluator = models.CharField(max_length=150, default="", blank=True)

    class Meta:
        managed = False
        db_table = "debugging_evaluation"
        verbose_name = "evaluation"

    def __str__(self) -> str:
        return f"{self.name} until {self.evaluated_until}"
