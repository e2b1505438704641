/* The order of conditions: what it promises, counted. */
#include "reconcile/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 7 };

static void every_round_has_every_condition_once(void **state)
{
    (void)state;
    for (size_t n = 1; n <= MOST; n++) {
        for (size_t round = 0; round < 3 * MOST; round++) {
            size_t order[MOST];
            bool seen[MOST] = {false};
            order_round(n, round, order);
            for (size_t place = 0; place < n; place++) {
                assert_true(order[place] < n);
                assert_false(seen[order[place]]);
                seen[order[place]] = true;
            }
        }
    }
}

static void every_condition_has_every_place_equally_often(void **state)
{
    (void)state;
    for (size_t n = 1; n <= MOST; n++) {
        size_t counts[MOST][MOST] = {{0}}, order[MOST], rounds = order_rounds_of_places(n);
        for (size_t round = 0; round < 2 * rounds; round++) {
            order_round(n, round, order);
            for (size_t place = 0; place < n; place++)
                counts[place][order[place]]++;
        }
        for (size_t place = 0; place < n; place++)
            for (size_t condition = 0; condition < n; condition++)
                assert_int_equal(counts[place][condition], 2 * rounds / n);
    }
}

static void every_condition_follows_every_other_equally_often(void **state)
{
    (void)state;
    for (size_t n = 2; n <= MOST; n++) {
        size_t counts[MOST][MOST] = {{0}}, order[MOST], rounds = order_rounds_of_neighbours(n);
        for (size_t round = 0; round < rounds; round++) {
            order_round(n, round, order);
            for (size_t place = 1; place < n; place++)
                counts[order[place - 1]][order[place]]++;
        }
        size_t each = rounds * (n - 1) / (n * (n - 1));
        for (size_t before = 0; before < n; before++)
            for (size_t after = 0; after < n; after++)
                assert_int_equal(counts[before][after], before == after ? 0 : each);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_round_has_every_condition_once),
        cmocka_unit_test(every_condition_has_every_place_equally_often),
        cmocka_unit_test(every_condition_follows_every_other_equally_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
