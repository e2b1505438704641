joulery_fuzz(tool_runs USES joulery_exchange m)
