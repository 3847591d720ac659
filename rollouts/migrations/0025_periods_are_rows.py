from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0024_lock_periods")]

    operations = [migrations.RemoveField(model_name="lockcalendar", name="windows")]
