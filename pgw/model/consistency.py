"""The rules that a push must satisfy by itself, before anything stored is looked at.

In: an exposition and the grouping key it is pushed to; the types of the gateway's own families.
Out: nothing, or InconsistentPush for the first rule that is broken.
Never: looks at other groups; what may stand beside them is decided in Redis, in the same step as the write
(store/lua/push.lua), from an index of types and shapes.
Follows: checkWriteRequest of the original and the registry's checks behind it (behaviour page, section 2.4).
"""

from collections.abc import Callable, Iterable, Mapping

from pgw.errors import InconsistentPush
from pgw.model.family import Exposition, Family, Type
from pgw.model.grouping import GroupingKey
from pgw.model.names import RESERVED_PREFIX
from pgw.model.series import Series

SUFFIXES: Mapping[Type, tuple[str, ...]] = {
    Type.HISTOGRAM: ("_count", "_sum", "_bucket"),
    Type.GAUGE_HISTOGRAM: ("_count", "_sum", "_bucket"),
    Type.SUMMARY: ("_count", "_sum"),
}
"""The names that a family of a type takes up beside its own."""

WRITTEN_LABELS: Mapping[Type, str] = {
    Type.HISTOGRAM: "le",
    Type.GAUGE_HISTOGRAM: "le",
    Type.SUMMARY: "quantile",
}
"""The label that a type adds to its sample lines."""


def check(push: Exposition, key: GroupingKey, own: Mapping[str, Type]) -> None:
    """Check one push.

    Args:
        push: what was pushed.
        key: the group it is pushed to.
        own: the gateway's own families, which stand on the same page.

    Raises:
        InconsistentPush: naming the metric and the rule.
    """
    check_timestamps(push)
    check_fault(push, key)
    for family in push.families:
        for rule in FAMILY_RULES:
            rule(family, key)
    check_suffixes({family.name: family.type for family in push.families}, own)
    check_own_types(push.families, own)


def check_readable(push: Exposition, key: GroupingKey) -> None:
    """Check only what would make a page unreadable, for pushes that are not to be checked.

    NOTE(pushgateway): the original accepts these too when its check is off, and then no scrape succeeds.
    """
    check_fault(push, key)
    for family in push.families:
        check_label_names(family, key)
        check_written_label(family, key)


def without_duplicates(family: Family, key: GroupingKey) -> Family:
    """Keep the last of each series, for pushes that are not to be checked."""
    last = {metric[0].template(key): position for position, metric in enumerate(family.metrics)}
    return family._replace(
        metrics=[family.metrics[position] for position in last.values()],
        details=tuple(family.details[position] for position in last.values()) if family.details else (),
    )


def check_timestamps(push: Exposition) -> None:
    """No sample may have a timestamp: a scrape decides when a value was seen."""
    if push.timestamp_at is not None:
        raise InconsistentPush(f"pushed metrics must not have timestamps ({push.timestamp_at})")


def check_fault(push: Exposition, key: GroupingKey) -> None:
    """Every metric has a value of its family's type, and labels that can be written."""
    if push.fault is not None:
        raise _refused(push.fault.series, key, push.fault.reason)


def check_label_names(family: Family, key: GroupingKey) -> None:
    """Names that start with two underscores belong to Prometheus."""
    for metric in family.metrics:
        for name, _ in metric[0].labels:
            if name.startswith(RESERVED_PREFIX):
                raise _refused(metric[0], key, f"has a label with an invalid name: {name}")


def check_duplicates(family: Family, key: GroupingKey) -> None:
    """A series comes once, counted after the grouping labels have overridden those of the body."""
    seen = {metric[0].template(key) for metric in family.metrics}
    if len(seen) == len(family.metrics):
        return
    for metric in family.metrics:
        try:
            seen.remove(metric[0].template(key))
        except KeyError:
            reason = "was collected before with the same name and label values"
            raise _refused(metric[0], key, reason) from None


def check_written_label(family: Family, key: GroupingKey) -> None:
    """The labels `quantile` and `le` are written by the quantiles of a summary and the buckets of a histogram.

    NOTE(pushgateway): the original lets `le` pass as a grouping label; Prometheus refuses the whole scrape then.
    """
    written = WRITTEN_LABELS.get(family.type)
    if written is None:
        return
    is_grouping = written in key.names
    for metric in family.metrics:
        if is_grouping or any(name == written for name, _ in metric[0].labels):
            raise _refused(metric[0], key, f'must not have an explicit "{written}" label')


Rule = Callable[[Family, GroupingKey], None]
FAMILY_RULES: tuple[Rule, ...] = (check_label_names, check_duplicates, check_written_label)


def check_suffixes(pushed: Mapping[str, Type], own: Mapping[str, Type]) -> None:
    """A histogram `x` stands for `x_count`, `x_sum` and `x_bucket` too, so no family may be called that."""
    standing = {**own, **pushed}
    for name, kind in standing.items():
        for suffix in SUFFIXES.get(kind, ()):
            clash = name + suffix
            if clash in standing and (name in pushed or clash in pushed):
                raise InconsistentPush(
                    f'collected metric "{clash}" collides with previously collected {kind.word} named "{name}"'
                )


def check_own_types(families: Iterable[Family], own: Mapping[str, Type]) -> None:
    """The gateway's own families keep their types.

    NOTE(pushgateway): the original accepts another type for families it has not made yet, and then every scrape fails.
    """
    for family in families:
        if own.get(family.name, family.type) is not family.type:
            raise InconsistentPush(
                f'collected metric "{family.name}" is not a family of type {own[family.name].word}, '
                f"as the gateway's own of that name is, but of type {family.type.word}"
            )


def _refused(series: Series, key: GroupingKey, reason: str) -> InconsistentPush:
    labels = series.template(key) % key.values
    return InconsistentPush(f'collected metric "{series.name}" {{{labels}}} {reason}')
