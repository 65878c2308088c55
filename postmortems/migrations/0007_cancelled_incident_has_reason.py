from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("postmortems", "0006_fill_roles_and_policies"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name='incident',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'cancelled'), _negated=True), models.Q(('cancel_reason', ''), _negated=True), _connector='OR'), name='cancelled_incident_has_reason'),
        ),
    ]
