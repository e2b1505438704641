include(${CMAKE_CURRENT_LIST_DIR}/joulery-targets.cmake)
