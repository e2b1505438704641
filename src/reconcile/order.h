/* order.h: in which order conditions are run, so that none profits from its place or from what ran before it.
 *
 * The rows of Williams' design (E. J. Williams, Australian Journal of Scientific Research A 2, 1949): a Latin
 * square in which every condition also follows every other equally often. */
#ifndef JOULERY_RECONCILE_ORDER_H
#define JOULERY_RECONCILE_ORDER_H

#include <stddef.h>

/* order[0..conditions): a permutation of 0 … conditions - 1, the one of this round. At least one condition.
 */
void order_round(size_t conditions, size_t round, size_t *order);

/* After this many rounds, and multiples, every condition had every place equally often. */
size_t order_rounds_of_places(size_t conditions);
/* And after this many every condition also followed every other equally often. */
size_t order_rounds_of_neighbours(size_t conditions);

#endif
