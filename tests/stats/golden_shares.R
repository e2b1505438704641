# Prints the golden values of test_shares.c, a line each (made with R 4.2.2): shares of variance from base R's lm, each factor entered first and
# last, and the mean of both.
show <- function(name, ...) cat(sprintf("%-10s", name), paste(sprintf("%.15g", c(...)), collapse = ", "), "\n")
sets <- list(
  balanced = list(y = c(1, 1.2, 2, 2.3, 3.1, 2.9, 4, 4.4, 1.5, 1.4, 3, 3.3), a = rep(1:2, each = 6), b = rep(rep(1:3, each = 2), 2)),
  unequal = list(y = c(1, 1.2, 2, 2.3, 3.1, 2.9, 4, 4.4, 1.5), a = c(1, 1, 1, 2, 2, 2, 3, 3, 3), b = c(1, 1, 2, 2, 2, 1, 1, 2, 2)),
  missing = list(y = c(1, 2, 3, 5, 8, 13, 21), a = c(1, 1, 2, 2, 3, 3, 3), b = c(1, 2, 2, 3, 3, 1, 1)))
for (name in names(sets)) with(sets[[name]], {
  a <- factor(a); b <- factor(b)
  r2 <- function(f) summary(lm(f))$r.squared
  ra <- r2(y ~ a); rb <- r2(y ~ b); both <- r2(y ~ a + b); cells <- r2(y ~ interaction(a, b))
  show(name, (ra + both - rb) / 2, (rb + both - ra) / 2, cells - both, 1 - cells)
})
