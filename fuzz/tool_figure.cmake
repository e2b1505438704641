joulery_fuzz(tool_figure USES joulery_exchange)
