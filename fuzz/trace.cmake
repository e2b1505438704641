joulery_fuzz(trace USES joulery_store ZLIB::ZLIB)
