"""What an operator changes while the application runs."""

from django.db import models

from e2edebug.django.fields import JsonTextField, UtcDateTimeField


class DebugConfiguration(models.Model):
    """A named piece of configuration; config_type says which fields its data may have."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    config_type = models.CharField(max_length=50)
    enabled = models.BooleanField(default=True)
    config_data = JsonTextField(null=True, blank=True)
    description = models.TextField(null=True, blank=True)
    created_at = UtcDateTimeField(auto_now_add=True)
    updated_at = UtcDateTimeField(auto_now=True)

    class Meta:
        managed = False
        db_table = "debugging_configuration"
        verbose_name = "debug configuration"

    def __str__(self) -> str:
        return str(self.name)
