"""Room of the report: one page, made from files alone, so that any old run can be shown again."""
