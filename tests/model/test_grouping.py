"""Grouping keys: from the path of a request, to their name and back."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.errors import BadGroupingKey
from pgw.model.grouping import GroupingKey, decode_base64
from pgw.model.names import escape_value, is_utf8

# What a percent-decoded path can hold: any bytes.
VALUES = st.binary(max_size=12).map(lambda raw: raw.decode(errors="surrogateescape"))
LABEL_NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,5}", fullmatch=True)
KEYS = st.builds(
    lambda labels, job: GroupingKey(tuple(sorted({**labels, "job": job}.items()))),
    st.dictionaries(LABEL_NAMES | st.just("instance"), VALUES, max_size=4),
    VALUES.filter(bool),
)


def key(**labels: str) -> GroupingKey:
    return GroupingKey(tuple(sorted(labels.items())))


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ("job/j", {"job": "j"}),
        ("job/j/", {"job": "j"}),
        ("job/j/instance/i", {"job": "j", "instance": "i"}),
        ("job/j/b/2/a/1", {"a": "1", "b": "2", "job": "j"}),
        ("job/j/a/", {"a": "", "job": "j"}),
        ("job/j/a//b/", {"a": "", "b": "", "job": "j"}),
        ("job/j/job/x", {"job": "j"}),
        ("job/j/a/1/a/2", {"a": "2", "job": "j"}),
        ("job/j/a/b c+;\0\n", {"a": "b c+;\0\n", "job": "j"}),
        ("job/j/a/é", {"a": "é", "job": "j"}),
        ("job/j/_/1", {"_": "1", "job": "j"}),
        ("job/foo@base64", {"job": "foo@base64"}),
        ("job/j/a/b@base64", {"a": "b@base64", "job": "j"}),
        ("job/j/U__foo_2e_bar/1", {"U__foo_2e_bar": "1", "job": "j"}),
        ("job@base64/ag", {"job": "j"}),
        ("job@base64/ag==", {"job": "j"}),
        ("job@base64/ag/a@base64/L3Zhci90bXA=", {"a": "/var/tmp", "job": "j"}),
        ("job/j/a@base64/=", {"a": "", "job": "j"}),
        ("job/j/a@base64/", {"a": "", "job": "j"}),
        ("job/j/a@base64/_-8", {"a": "\udcff\udcef", "job": "j"}),
    ],
)
def test_a_path_names_a_group(path: str, labels: dict[str, str]) -> None:
    assert GroupingKey.from_path(path.encode()) == key(**labels)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("job/", "job name is required"),
        ("job", "job name is required"),
        ("job@base64/=", "job name is required"),
        ("job//a/b", "job name is required"),
        ("job/j/a", 'odd number of components in label string "/a"'),
        ("job/j/a/b/c", 'odd number of components in label string "/a/b/c"'),
        ("job//a", 'odd number of components in label string "/a"'),
        ("job/j/__a/b", 'improper label name "__a"'),
        ("job/j/a-b/c", 'improper label name "a-b"'),
        ("job/j/a:b/c", 'improper label name "a:b"'),
        ("job/j/1/c", 'improper label name "1"'),
        ("job/j//c", 'improper label name ""'),
        ("job/j/é/c", 'improper label name "é"'),
        ("job/j/__x@base64/YQ", 'improper label name "__x"'),
        ("job/j/@base64/YQ", 'improper label name ""'),
        ("job/j/a@base64@base64/YQ", 'improper label name "a@base64"'),
        ("job/j/a@BASE64/YQ", 'improper label name "a@BASE64"'),
        ("job/j/x@base64/a.b", 'invalid base64 encoding for label x="a.b": illegal base64 data at input byte 1'),
        ("job/j/x@base64/a+b=", 'invalid base64 encoding for label x="a+b=": illegal base64 data at input byte 1'),
        ("job@base64/Zm9v.mFy", 'invalid base64 encoding in job name "foo": illegal base64 data at input byte 4'),
        ("job@base64/Zm9vY", 'invalid base64 encoding in job name "foo": illegal base64 data at input byte 4'),
        ("job@base64/./a", 'invalid base64 encoding in job name "": illegal base64 data at input byte 0'),
    ],
)
def test_a_path_that_names_no_group_is_refused_in_the_words_of_the_original(path: str, message: str) -> None:
    with pytest.raises(BadGroupingKey) as refused:
        GroupingKey.from_path(path.encode())
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("text", "decoded", "fault"),
    [
        ("", "", None),
        ("====", "", None),
        ("YQ", "a", None),
        ("YQ=", "a", None),
        ("YQ====", "a", None),
        ("YR", "a", None),  # bits beyond the last byte
        ("YWI", "ab", None),
        ("YWJj", "abc", None),
        ("_-8", "\udcff\udcef", None),
        ("w6k", "é", None),
        ("Y\r\nQ", "a", None),
        ("\nYWJj\n", "abc", None),
        ("Y", "", 0),
        ("YWJjY", "abc", 4),
        ("Y\n", "", 1),
        ("YWJj\nY", "abc", 5),
        ("YQ=Q", "", 2),
        ("Y+Q", "", 1),
        ("YW/j", "", 2),
        ("YWJjYWJ.", "abc", 7),
        ("Y\nW Q", "", 3),
        ("YWJjé", "abc", 4),
        ("YWJjY\udcff", "abc", 5),
    ],
)
def test_base64_is_decoded_as_go_does(text: str, decoded: str, fault: int | None) -> None:
    assert decode_base64(text) == (decoded, fault)


@given(VALUES, st.integers(0, 4))
def test_what_was_encoded_is_decoded(value: str, padding: int) -> None:
    encoded = base64.urlsafe_b64encode(value.encode(errors="surrogateescape")).decode().rstrip("=")
    assert decode_base64(encoded + "=" * padding) == (value, None)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_decoded_or_has_a_fault_inside(text: str) -> None:
    _, fault = decode_base64(text)
    assert fault is None or 0 <= fault < len(text.encode())


@given(KEYS)
def test_a_key_is_read_back_from_its_name(original: GroupingKey) -> None:
    assert GroupingKey.from_name(original.name) == original


@given(KEYS, KEYS)
def test_two_keys_have_two_names(one: GroupingKey, other: GroupingKey) -> None:
    assert (one.name == other.name) == (one == other)


@given(KEYS)
def test_plain_and_base64_spellings_are_the_same_group(original: GroupingKey) -> None:
    def spelled(name: str, value: str) -> bytes:
        return f"{name}@base64/".encode() + base64.urlsafe_b64encode(value.encode(errors="surrogateescape"))

    labels = sorted(original.labels, key=lambda label: label[0] != "job")
    assert GroupingKey.from_path(b"/".join(spelled(*label) for label in labels)) == original


@given(KEYS)
def test_any_key_is_written_with_its_parts_encoded_and_its_values_escaped(original: GroupingKey) -> None:
    encoded = [[quote(part, safe="", errors="surrogateescape") for part in label] for label in original.labels]
    ordered = sorted(encoded, key=lambda label: label[0] != "job")
    assert original.name == "/".join(part for label in ordered for part in label)
    assert original.shape == ",".join(name for name, _ in encoded)
    assert original.values == tuple(escape_value(value) for _, value in original.labels)
    assert original.is_utf8 == is_utf8("".join(value for _, value in original.labels))


def test_a_name_is_readable_and_starts_with_the_job() -> None:
    assert key(job="backup", instance="db-1", a="x/y").name == "job/backup/a/x%2Fy/instance/db-1"


def test_the_shape_is_the_names() -> None:
    assert key(job="j", b="1", a="2").shape == "a,b,job"
    assert key(job="j").names == ("job",)


def test_the_values_are_escaped_for_the_text_format() -> None:
    assert key(job='a"\\\n%').values == ('a\\"\\\\\\n%',)


@pytest.mark.parametrize(
    ("labels", "twin"),
    [
        ({"job": "j"}, "job/j/instance/"),
        ({"job": "j", "instance": ""}, "job/j"),
        ({"job": "j", "instance": "i"}, None),
        ({"job": "j", "z": "1"}, "job/j/instance//z/1"),
    ],
)
def test_a_group_without_instance_and_one_with_an_empty_one_are_twins(labels: dict[str, str], twin: str | None) -> None:
    assert key(**labels).twin == twin
    if twin is not None:
        assert GroupingKey.from_name(twin).twin == key(**labels).name


@given(KEYS)
def test_the_twin_has_the_same_labels_but_for_an_empty_instance(original: GroupingKey) -> None:
    labels = dict(original.labels)
    instance = labels.pop("instance", None)
    if instance is None:
        labels["instance"] = ""
    assert original.twin == (None if instance else key(**labels).name)


def test_a_key_that_is_not_utf8_is_refused_by_name() -> None:
    broken = key(job="j", a="x\udcff")
    assert not broken.is_utf8
    with pytest.raises(BadGroupingKey, match=r'has a label named "a" whose value is not utf8: "x\\xff"'):
        broken.require_utf8()


def test_a_key_that_is_utf8_is_not_refused() -> None:
    assert key(job="é").is_utf8
    key(job="é").require_utf8()


def test_people_see_the_job_first_and_the_other_labels_sorted() -> None:
    assert key(zone="z", job="j", a="1").ordered == (("job", "j"), ("a", "1"), ("zone", "z"))
