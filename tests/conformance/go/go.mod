module tailslide.dev/evaluation

go 1.19
