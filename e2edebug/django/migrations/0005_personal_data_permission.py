"""Personal data permission."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("debugging", "0004_alerts"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="workflowsession",
            options={
                "managed": False,
                "permissions": [("view_personal_data", "Can see who it was: users, addresses, browsers")],
                "verbose_name": "workflow session",
            },
        ),
    ]
