joulery_fuzz(cifar USES joulery_dataset)
