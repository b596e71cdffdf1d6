"""Label values that break pages, paths, shells and readers."""

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '"\' onmouseover=alert(1) x="',
    "comment": "--><img src=x onerror=alert(1)>",
    "entity": "&lt;b&gt; &amp;amp; &#0;",
    "template": "{{ 7 * 7 }} {% raw %}",
    "right to left": "שלום \u202eevil\u202c\u2066",
    "long": "x" * 10_000,
    "slashes": "/../a//b/./..",
    "dots": "..",
    "percent": "100%25 %zz %2F",
    "query": "a?b=c#d&e;f",
    "shell": "$(touch /tmp/x) `id` 'a' \\",
    "plus and blanks": "a+b  c ",
    "emoji": "🏃\u200d♀️",
}
