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
        "task.create": _("Task made"),
        "task.created": _("Task made"),
        "task.update": _("Task changed"),
        "task.updated": _("Task changed"),
        "task.assign": _("Task given to somebody"),
        "task.assigned": _("Task given to somebody"),
        "task.postpone": _("Task postponed"),
        "task.postponed": _("Task postponed"),
        "task.comment": _("Remark on a task"),
        "task.commented": _("Remark on a task"),
        "task.finish": _("Task done"),
        "task.done": _("Task done"),
        "task.drop": _("Task dropped"),
        "task.dropped": _("Task dropped"),
        "task.reopen": _("Task opened again"),
        "task.reopened": _("Task opened again"),
        "alert.raised": _("Alert"),
        "alert.resolved": _("Alert settled by itself"),
        "alert.acknowledge": _("Alert noted"),
        "alert_rule.update": _("Alert rule changed"),
    }
)
