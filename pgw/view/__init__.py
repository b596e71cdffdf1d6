"""The scrape view: every group as the bytes a scrape shows, kept up to date from the change feed."""
