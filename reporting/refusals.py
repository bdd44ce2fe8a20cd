"""Words of this room's refusals: code to sentence, with named placeholders."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register

register(
    {
        "report.unknown": _("There is no report called %(name)s."),
        "report.days_reversed": _("The last day (%(last)s) lies before the first (%(first)s)."),
        "report.dimension_unknown": _("The report %(report)s can't be divided or filtered by %(name)s."),
        "report.word_unknown": _("This report can't be asked for %(name)s."),
        "report.word_wrong": _("%(name)s can't be %(value)s here."),
        "report.too_long": _("A report covers ten years at most."),
        "report.view_named_twice": _("You saved a view of this report under that name before."),
        "report.wall_is_shared": _("What stands on the wall is for everybody: share the view."),
        "report.value_unknown": _("Nothing to report on is called %(value)s."),
        "report.coming_too_many": _(
            "%(count)s subscriptions fall due up to %(day)s; at most %(most)s are calculated while you wait. Have"
            " them calculated as a job, or ask for fewer days."
        ),
        "report.months_too_many": _("This report covers %(most)s months at most."),
        "report.rows_unknown": _("These rows can't be listed: the address names something unknown."),
    }
)
