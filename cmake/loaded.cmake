# What libraries of wattmeters and of services need, by their headers alone: the libraries are loaded when there is one to ask.
find_path(CURL_INCLUDE curl/curl.h REQUIRED)
find_path(EXPAT_INCLUDE expat.h REQUIRED)
find_path(MOSQUITTO_INCLUDE mosquitto.h REQUIRED)
find_path(NETSNMP_INCLUDE net-snmp/net-snmp-config.h REQUIRED)
find_path(MODBUS_INCLUDE modbus/modbus.h REQUIRED)
find_path(FREEIPMI_INCLUDE freeipmi/api/ipmi-api.h REQUIRED)
add_library(loaded_headers INTERFACE)
target_include_directories(loaded_headers SYSTEM INTERFACE
  ${CURL_INCLUDE} ${EXPAT_INCLUDE} ${MOSQUITTO_INCLUDE} ${NETSNMP_INCLUDE} ${MODBUS_INCLUDE} ${FREEIPMI_INCLUDE})
