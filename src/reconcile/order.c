#include "reconcile/order.h"

/* The first row goes 0, 1, n - 1, 2, n - 2, …: neighbours differ by every amount, modulo n, once for an even
 * n. For an odd n the rows read backwards make up for it. */
static size_t first_row(size_t conditions, size_t place)
{
    return place % 2 ? (place + 1) / 2 : (conditions - place / 2) % conditions;
}

void order_round(size_t conditions, size_t round, size_t *order)
{
    round %= order_rounds_of_neighbours(conditions);
    int backwards = round >= conditions;
    for (size_t place = 0; place < conditions; place++) {
        size_t at = backwards ? conditions - 1 - place : place;
        order[place] = (first_row(conditions, at) + round) % conditions;
    }
}

size_t order_rounds_of_places(size_t conditions)
{
    return conditions;
}

size_t order_rounds_of_neighbours(size_t conditions)
{
    return conditions % 2 && conditions > 1 ? 2 * conditions : conditions;
}
