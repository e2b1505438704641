# Prints the golden values of test_groups.c, a line each (made with R 4.2.2). From base R: aov, oneway.test, kruskal.test, TukeyHSD,
# p.adjust, anova of nested lm, power.t.test, cor.test. What base R lacks is written out from its definition: Brown-Forsythe, Games-Howell,
# Dunn, Cliff's delta over all pairs, Hedges' g, aligned ranks, and the bootstrap over all n^n samples of five values. The range of two means is
# Student's t, which has one degree of freedom too, where ptukey begins at two.
show <- function(name, ...) cat(sprintf("%-18s", name), paste(sprintf("%.15g", c(...)), collapse = ", "), "\n")
# the range from its definition: ptukey is off by 1e-9 to 1e-4, qtukey by 1e-4
outside <- function(w, k) 1 - k * integrate(function(z) dnorm(z) * (pnorm(z + w) - pnorm(z))^(k - 1), -9, 9, rel.tol = 1e-12, subdivisions = 500)$value
range_p <- function(q, k, df) sapply(q, function(q) {
  density <- function(s) 2 * s * df * dchisq(df * s^2, df)
  top <- sqrt(qchisq(1e-16, df, lower.tail = FALSE) / df)
  integrate(function(s) density(s) * sapply(s, function(s) outside(q * s, k)), 0, min(top, 18 / q), rel.tol = 1e-11, subdivisions = 2000)$value
})
range_q <- function(p, k, df) uniroot(function(q) range_p(q, k, df) - p, c(0.5, 60), tol = 1e-10)$root
sets <- list(
  plain = list(c(812, 799.5, 830.25, 818, 805.5), c(841, 829.5, 850, 836.25), c(790, 801.25, 812.5, 795, 808, 803.5), c(835, 822, 846.5)),
  ties = list(c(1, 2, 2, 3, 5), c(2, 3, 3, 5, 5, 8), c(5, 7, 8, 8)),
  spread = list(c(10, 10.5, 9.75, 10.25), c(12, 18, 9, 25, 14), c(30, 31.5, 29)))
welch_sd <- function(a, b) {
  va <- var(a) / length(a); vb <- var(b) / length(b)
  list(error = sqrt((va + vb) / 2), df = (va + vb)^2 / (va^2 / (length(a) - 1) + vb^2 / (length(b) - 1)))
}
for (name in names(sets)) {
  values <- sets[[name]]; k <- length(values)
  y <- unlist(values); g <- factor(rep(seq_along(values), lengths(values))); n <- length(y)
  table <- summary(aov(y ~ g))[[1]]
  squares <- table[["Sum Sq"]]; df <- table[["Df"]]; within <- squares[2] / df[2]
  show(paste(name, "anova"), table[["F value"]][1], df, table[["Pr(>F)"]][1], squares[1] / sum(squares),
       (squares[1] - df[1] * within) / (sum(squares) + within))
  welch <- oneway.test(y ~ g)
  show(paste(name, "welch"), welch$statistic, welch$parameter, welch$p.value)
  z <- abs(y - ave(y, g, FUN = median)); levene <- anova(lm(z ~ g))
  show(paste(name, "levene"), levene[["F value"]][1], levene$Df, levene[["Pr(>F)"]][1])
  kruskal <- kruskal.test(y, g)
  show(paste(name, "kruskal"), kruskal$statistic, kruskal$parameter, kruskal$p.value, kruskal$statistic / (n - 1))
  tukey <- TukeyHSD(aov(y ~ g))$g # b - a: turned
  r <- rank(y); ties <- sum(table(r)^3 - table(r)); raw <- c()
  for (a in 1:(k - 1)) for (b in (a + 1):k) {
    t <- tukey[paste0(b, "-", a), ]
    show(paste(name, "tukey", a, b), -t["diff"], -t["upr"], -t["lwr"], t["p adj"])
    w <- welch_sd(values[[a]], values[[b]]); d <- mean(values[[a]]) - mean(values[[b]])
    half <- range_q(0.05, k, w$df) * w$error
    show(paste(name, "games", a, b), d, d - half, d + half, range_p(abs(d) / w$error, k, w$df))
    z <- (mean(r[g == a]) - mean(r[g == b])) /
      sqrt((n * (n + 1) / 12 - ties / (12 * (n - 1))) * (1 / length(values[[a]]) + 1 / length(values[[b]])))
    raw <- rbind(raw, c(z, 2 * pnorm(-abs(z))))
    pooled <- sqrt((var(values[[a]]) * (length(values[[a]]) - 1) + var(values[[b]]) * (length(values[[b]]) - 1)) /
                     (length(values[[a]]) + length(values[[b]]) - 2))
    m <- length(values[[a]]) + length(values[[b]]) - 2
    show(paste(name, "effect", a, b), mean(sign(outer(values[[a]], values[[b]], "-"))),
         gamma(m / 2) / (sqrt(m / 2) * gamma((m - 1) / 2)) * d / pooled)
  }
  show(paste(name, "dunn"), t(cbind(raw, p.adjust(raw[, 2], "holm"))))
}
show("range", 2 * pt(-c(0.5, 3.5, 10) / sqrt(2), 1), range_p(c(0.5, 3.5, 10), 3, 2), range_p(c(1, 3.5, 8), 4, 7.3),
     range_p(c(2, 5), 20, 200), range_p(c(3, 4.5), 6, 9990))
show("range quantile", -qt(0.025, 1) * sqrt(2), range_q(0.05, 4, 7.3), range_q(0.05, 20, 200), range_q(0.01, 3, 12))
show("holm", p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.5, NA), "holm"))

# rows a of three, columns b of two
balanced <- c(5.1, 4.9, 5.6, 7.2, 7.9, 7.4, 6.1, 6.6, 6.4, 6.5, 6.2, 6.9, 8.8, 9.4, 8.1, 7.7, 7.1, 7.3)
cells <- list(balanced = rep(3, 6), unbalanced = c(3, 2, 4, 3, 1, 5))
for (name in names(cells)) {
  size <- cells[[name]]; y <- balanced[1:sum(size)]
  a <- factor(rep(rep(1:3, each = 2), size)); b <- factor(rep(rep(1:2, 3), size))
  whole <- lm(y ~ a * b); both <- lm(y ~ a + b)
  test <- function(small, large) {
    df <- small$df.residual - large$df.residual
    f <- (deviance(small) - deviance(large)) / df / (deviance(whole) / whole$df.residual)
    c(f, df, whole$df.residual, pf(f, df, whole$df.residual, lower.tail = FALSE))
  }
  show(paste(name, "a"), test(lm(y ~ b), both))
  show(paste(name, "b"), test(lm(y ~ a), both))
  show(paste(name, "ab"), test(both, whole))
  ranks <- rank(round((y - ave(y, a) - ave(y, b) + mean(y)) / max(abs(y)), 9))
  aligned <- anova(lm(ranks ~ a + b), lm(ranks ~ a * b))
  show(paste(name, "aligned"), aligned$F[2], aligned$Df[2], aligned$Res.Df[2], aligned[["Pr(>F)"]][2])
}

power <- function(n, delta, sd) power.t.test(n, delta, sd)$power
show("power", power(2, 1, 1), power(3, 0.05, 0.02), power(17, 1, 1), power(64, 0.5, 1), power(4000, 0.06, 1))
needed <- function(delta, sd) ceiling(power.t.test(delta = delta, sd = sd, power = 0.8)$n)
show("repetitions", needed(1, 1), needed(0.05, 0.02), needed(0.05, 0.08), needed(0.05, 1))
x <- c(102.5, 155.25, 98, 201, 250.5, 180.75); y <- c(3, 1, 2, 2, 5, 4)
show("correlation p", cor.test(x, y)$p.value, cor.test(x, y, method = "spearman", exact = FALSE)$p.value)

v <- c(3.1, 4.7, 2.2, 9.8, 3.9); n <- length(v)
samples <- as.matrix(expand.grid(rep(list(1:n), n)))
means <- apply(samples, 1, function(i) mean(sort(v[i]))); medians <- apply(samples, 1, function(i) median(v[i]))
share <- mean(means < mean(v) - 1e-9) + mean(abs(means - mean(v)) <= 1e-9) / 2
d <- v - mean(v); acceleration <- sum(d^3) / (6 * sum(d^2)^1.5); z0 <- qnorm(share); z <- qnorm(c(0.025, 0.975))
show("bootstrap", mean(v), quantile(means, pnorm(z0 + (z0 + z) / (1 - acceleration * (z0 + z)))), median(v),
     quantile(medians, c(0.025, 0.975)))
