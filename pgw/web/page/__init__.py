"""The web page: what is here, how old is it, what is wrong; for people, and without JavaScript for reading."""
