"""Words of the refusals about tasks and alerts, and what the timeline calls their events."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register
from customers.services import titles

register(
    {
        "task.not_open": _("This task is %(state)s."),
        "task.postpone_ahead": _("A task is postponed to a day after %(day)s."),
        "task.other_customer": _("This belongs to another customer than the task."),
        "task.owner_works_elsewhere": _("This person doesn't work for this company."),
        "alert_rule.no_use": _("This kind of alert doesn't ask for it."),
        "alert_rule.stranger": _("Somebody chosen here doesn't work for this company."),
    }
)
titles.register(
    {
        "task.created": _("Task made"),
        "task.updated": _("Task changed"),
        "task.assigned": _("Task given to somebody"),
        "task.postponed": _("Task postponed"),
        "task.commented": _("Remark on a task"),
        "task.done": _("Task done"),
        "task.dropped": _("Task dropped"),
        "task.reopened": _("Task opened again"),
        "alert.raised": _("Alert"),
        "alert.resolved": _("Alert settled by itself"),
        "alert.acknowledge": _("Alert noted"),
        "alert_rule.update": _("Alert rule changed"),
        "tick.run": _("Timetable: run by hand"),
    }
)
