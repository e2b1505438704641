/* A list of networks from any file: names, and counts that are counts or not known; or refused. */
#include "report/costs.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct network_costs costs;
    if (network_costs_parse((const char *)data, size, &costs, &error) == 0) {
        for (size_t i = 0; i < costs.count; i++) {
            const struct network_cost *cost = &costs.items[i];
            require(cost->name && (isnan(cost->parameters) || cost->parameters >= 0) &&
                    (isnan(cost->flops) || cost->flops >= 0));
            require(network_costs_find(&costs, cost->name) != NULL);
        }
    } else {
        require(costs.count == 0 && !costs.items);
    }
    network_costs_free(&costs);
    error_clear(&error);
    return 0;
}
