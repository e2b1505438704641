/* cpu_program.h: a straight list of steps over values, with an arena planned by how long each value lives.
 *
 * A graph is lowered (cpu_lower.h) to one program for a training step and one for an evaluation, each for an
 * exact number of images. Calls to oneDNN are confined to the cpu*.c files. */
#ifndef JOULERY_NN_CPU_PROGRAM_H
#define JOULERY_NN_CPU_PROGRAM_H

#include "nn/cpu_kernels.h"
#include "nn/cpu_onednn.h"

/* How a parameter's stored form differs from PyTorch's tensor. Both are exact simplifications. */
enum parameter_form {
    FORM_WHOLE,
    /* A convolution's taps that only ever meet padding are left out: `dims` is the live window. */
    FORM_CROPPED,
    /* A dense layer whose input is one pixel repeated: the weights of a pixel's copies are stored as their
     * sum. Their gradients are equal, so their differences from the mean only ever decay. */
    FORM_FOLDED,
};

struct parameter {
    enum parameter_form form;
    bool trainable;
    size_t count; /* of PyTorch's tensor */
    int dim_count;
    dnnl_dims_t dims; /* stored: (out, in), (groups, out, in, h, w) … */
    bool dense;       /* computed as a dense layer: a convolution with one output pixel is one, too */
    /* Of a convolution: PyTorch's kernel, the live window in it, and the place in the image of its first tap
     * (for one output pixel). */
    size_t full_kernel[2], first_tap[2], kernel[2], region[2];
    size_t copies;       /* FORM_FOLDED: pixels; else 1 */
    struct layout plain; /* dims in order */
    bool decided;        /* whether `layout`, in which it is stored, is */
    struct layout layout;
    size_t stored_count;          /* floats, with the layout's padding */
    float *data, *first, *second; /* stored_count floats; first, second: the optimiser's, or NULL */
    /* Not FORM_WHOLE: PyTorch's tensor of which the dead taps, or the differences from the mean, are true
     * after multiplication with `decay`, which weight decay shrinks as it does every weight without gradient.
     */
    float *rest;
    double decay, decay_momentum;
};

/* What a node computes with in place of its own weights, where the network only infers. */
struct folded {
    bool used;
    size_t norm; /* the batch normalisation after it, folded into its weights and a bias; 0: none */
    struct parameter weights, bias;
    bool released;        /* the node's own weights are no more but in these and */
    uint8_t *last_places; /* NULL: never released (cpu_fold.c) */
};

struct value {
    struct layout layout;
    size_t bytes;
    float *const *fixed; /* where its address is kept; NULL: in the arena, at `offset` */
    size_t offset;
    size_t first, last; /* steps that use it; first > last: none */
    size_t pending; /* gradients not yet taken that are this value: it may be overwritten when none is left */
};

/* What one run of a program is given and gives. */
struct pass {
    const int32_t *labels;
    uint64_t dropout_key; /* differs from step to step */
    double smoothing;
    int32_t *predictions; /* one an image */
    double clip_norm;     /* 0: gradients are not clipped */
    double squares;       /* of all gradients, where they are clipped */
    struct update update;
    struct step_result result;
};

struct step;
typedef void step_function(const struct step *step, void *const *data, struct pass *pass);

#define STEP_ARGUMENTS 12
struct step {
    const char *name;           /* for profiles: the node's */
    dnnl_primitive_t primitive; /* or NULL, and then: */
    step_function *run;
    int argument_count;
    size_t values[STEP_ARGUMENTS];
    dnnl_exec_arg_t arguments[STEP_ARGUMENTS]; /* of a primitive */
    /* For functions, as each needs: */
    enum element type; /* of the first value */
    size_t elements, sizes[4];
    double share; /* a probability, a momentum */
    struct channel_field field;
    struct channel_copy copy;
    struct depthwise depthwise;
    uint64_t key;
    struct parameter *parameter;
};

struct program {
    size_t images;
    struct value *values; /* the first is nobody's */
    size_t value_count, value_capacity;
    struct step *steps;
    size_t step_count, step_capacity;
    size_t arena_bytes;
    float *input; /* the images of this pass */
    size_t input_value;
    size_t output_value; /* kept to the end of a pass; 0: none */
    void **data;         /* addresses of all values */
};

int program_init(struct program *program, size_t images, struct error *error);
void program_free(struct program *program);
/* 0 if memory ran out, which is never a value's number. */
size_t program_add_value(struct program *program, const struct layout *layout, float *const *fixed);
/* Copies the step and takes over its primitive and memories. */
int program_add_step(struct program *program, const struct step *step, struct error *error);
/* Lifetimes and offsets; sets arena_bytes. */
int program_plan(struct program *program, struct error *error);
/* Connects all arguments with the arena and the parameters. */
int program_bind(struct program *program, char *arena, struct error *error);
int program_run(struct program *program, dnnl_stream_t stream, const float *images, struct pass *pass,
                struct error *error);

/* ---- the backend's state, shared by cpu.c and the lowering ---- */

struct cpu {
    struct graph *graph;
    bool inference; /* a graph without a loss: no gradients, parameters that seldom change */
    struct network_options options;
    dnnl_engine_t engine;
    struct layouts layouts;
    dnnl_stream_t stream;
    dnnl_data_type_t type; /* of activations and their gradients; parameters are float */
    /* Scratchpads are ours. [sum][relu]: what is there is added, then a ReLU. */
    dnnl_primitive_attr_t attributes[2][2];
    struct tensor *tensors;
    struct parameter *parameters; /* one a tensor */
    size_t parameter_count;
    size_t *first_parameter; /* of each node */
    struct folded *folded;   /* inference: one a node */
    bool folds_stale;        /* a tensor has changed since they were computed */
    bool *repeats; /* node: an adaptive pooling that only repeats, folded into the dense layer after it */
    struct program *programs[4];
    int32_t *predictions; /* one an image of the batch */
    char *weights, *arena;
    size_t weights_bytes, arena_bytes;
    bool remembers; /* the optimiser's memory may no longer be 0 as it came, untouched, from the system */
    uint64_t steps; /* trained */
    double beta1_power, beta2_power;
};

int dnnl_fail(struct error *error, dnnl_status_t status, const char *what);
int cpu_reorder(const struct cpu *cpu, const struct layout *from, const float *src, const struct layout *to,
                float *dst, struct error *error);
size_t plain_count(const struct parameter *parameter);

/* ---- cpu_fold.c ---- */

/* Finds the convolutions that a batch normalisation alone reads, and with bfloat16 all products; those are
 * stored plain, and what they compute with in a layout and type of its own. */
void cpu_find_folds(struct cpu *cpu);
/* Computes the folded weights and biases if a tensor has changed. */
int cpu_fold(struct cpu *cpu, struct error *error);
/* A parameter's values in the order of its dims, also where its own memory has been given back. */
int cpu_plain_values(const struct cpu *cpu, size_t tensor, float *plain, struct error *error);
/* Brings them all back to where they were; before a tensor is changed. */
int cpu_restore(struct cpu *cpu, struct error *error);

int cpu_lower(struct cpu *cpu, struct program *program, bool training, struct error *error);

/* ---- cpu_state.c: what goes on to the same losses, as backend.h says ---- */

size_t cpu_part_count(const void *state, size_t tensor, enum network_part part);
int cpu_get_part(const void *state, size_t tensor, enum network_part part, float *data, struct error *error);
int cpu_set_part(void *state, size_t tensor, enum network_part part, const float *data, struct error *error);
size_t cpu_scalar_count(const void *state);
void cpu_get_scalars(const void *state, double *scalars);
void cpu_set_scalars(void *state, const double *scalars);

#endif
