module github.com/tailslide/tailslide/sdk-thin/go

go 1.21
