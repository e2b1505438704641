# joulery_embed(TARGET SYMBOL FILE): puts FILE's bytes, read-only and followed by a zero byte, into TARGET as
#   extern const unsigned char SYMBOL[]; extern const size_t SYMBOL_size;   (size_t: without the zero byte)
function(joulery_embed target symbol file)
  get_filename_component(path ${file} ABSOLUTE)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embed_${symbol}.S)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[
    .section .rodata
    .global @symbol@
    .balign 16
@symbol@:
    .incbin "@path@"
1:  .byte 0
    .global @symbol@_size
    .balign 8
@symbol@_size:
    .quad 1b - @symbol@
    .section .note.GNU-stack,"",%progbits
]])
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${path})
  target_sources(${target} PRIVATE ${source})
endfunction()
