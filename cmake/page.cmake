# joulery_page(OUTPUT): the report page in one file, from web/ (web/build.mjs inlines styles, charts and libraries).
function(joulery_page output)
  set(web ${PROJECT_SOURCE_DIR}/web)
  find_program(JOULERY_NODE NAMES node nodejs)
  if(NOT JOULERY_NODE OR NOT EXISTS ${web}/node_modules/vega-embed)
    message(FATAL_ERROR "The report page needs node and the packages of web/package.json, and ${web}/node_modules "
                        "lacks them: run ./setup, then configure again")
  endif()
  file(GLOB parts CONFIGURE_DEPENDS ${web}/charts/*.json)
  add_custom_command(OUTPUT ${output}
    COMMAND ${JOULERY_NODE} ${web}/build.mjs ${output}
    DEPENDS ${web}/build.mjs ${web}/template.html ${web}/style.css ${web}/page.js ${web}/land.json ${web}/package-lock.json ${parts}
    VERBATIM)
endfunction()
