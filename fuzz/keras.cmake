joulery_fuzz(keras USES joulery_weights)
joulery_embed(fuzz_keras keras_seed ${PROJECT_SOURCE_DIR}/tests/data/keras/vgg19.h5)
