/* A calibration from any file: understood with sane figures and intervals, or refused. */
#include "calibrate/calibration.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void require_sane(const struct calibration *calibration)
{
    const struct linear *fit = &calibration->fit;
    double x[LINEAR_REGRESSORS_MOST] = {0};
    require(fit->terms >= 2 && fit->terms <= CALIBRATION_SCOPES + 1 && fit->sd >= 0);
    require(calibration->host.name && calibration->source && calibration->groups_are);
    for (size_t s = 0; s < CALIBRATION_SCOPES; s++) {
        const struct calibration_scope *scope = &calibration->scopes[s];
        require(scope->term < fit->terms && scope->low_w <= scope->high_w);
        if (scope->term)
            x[scope->term - 1] = scope->high_w;
    }
    struct interval wall = stats_linear_predict(fit, x);
    require(isfinite(wall.value) && wall.low <= wall.value && wall.value <= wall.high);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct calibration calibration;
    if (calibration_parse((const char *)data, size, &calibration, &error) == 0) {
        require_sane(&calibration);
        json_t *json = calibration_to_json(&calibration);
        require(json != NULL);
        json_decref(json);
        calibration_free(&calibration);
    }
    error_clear(&error);
    return 0;
}
