# Prints the golden values of test_pairs.c's lowess lines (made with R 4.2).
x <- c(102.5, 155.25, 98.0, 201.0, 250.5, 180.75, 120.0, 305.25, 275.0, 222.5)
y <- c(150.0, 212.5, 149.25, 260.0, 322.5, 238.75, 176.5, 388.75, 345.0, 288.0)
bent <- c(1, 4, 9, 16, 25, 90, 49, 64, 81, 100, 121, 144)
ties <- c(1, 1, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8)
show <- function(x, y, f) cat(sprintf("%.15g", lowess(x, y, f = f, iter = 3, delta = 0)$y), sep = ", ", fill = 200)
show(x, y, 2/3)
show(1:12, bent, 0.5)
show(ties, bent, 2/3)
