"""REST for scripts: the services of the pages, answers in JSON, refusals as problem documents (DESIGN section 6)."""
