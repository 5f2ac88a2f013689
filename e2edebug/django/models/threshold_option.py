"""What a threshold can say besides its limits."""

from django.db import models

from e2edebug.django.models.performance_threshold import PerformanceThreshold


class ThresholdOption(models.Model):
    """Options of one threshold."""

    id = models.BigAutoField(primary_key=True)
    threshold = models.OneToOneField(
        PerformanceThreshold, on_delete=models.DO_NOTHING, db_constraint=False, related_name="option"
    )
    min_samples = models.IntegerField(null=True, blank=True)
    no_data_s = models.IntegerField(default=0)

    class Meta:
        managed = False
        db_table = "debugging_threshold_option"
        verbose_name = "threshold option"

    def __str__(self) -> str:
        return f"{self.min_samples} samples, silence {self.no_data_s} s"
