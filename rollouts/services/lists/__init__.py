"""What lists are narrowed to and how they page: one set of filters for each thing, for pages, the API and commands."""
