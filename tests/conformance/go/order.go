package evaluation

// What Go has by itself from 1.21 on.

type ordered interface{ ~int | ~int64 | ~uint64 }

func compare[T ordered](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func smaller[T ordered](a, b T) T {
	if b < a {
		return b
	}
	return a
}

func larger[T ordered](a, b T) T {
	if a < b {
		return b
	}
	return a
}
