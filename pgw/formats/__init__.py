"""Bytes to families and back; sans-IO.

In: the body of a push. Out: families for the rules of `model`, and the lines that a scrape will show of them.
A format is a reader (`text_reader.TextReader`), a writer (`text_writer`) or both, over the numbers of `numbers`;
nothing here knows where bytes come from, what is stored, or what the time is.
"""
