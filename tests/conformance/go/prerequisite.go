package evaluation

// maxChain is the longest chain of prerequisites that is looked at.
const maxChain = 20

// stuckFlags finds the flags all of whose prerequisites are unmet: those in a cycle, and those at the end of too long a
// chain. It is Tarjan's algorithm, which finishes what a flag requires before the flag itself.
func stuckFlags(rulesets map[string]*Ruleset) map[string]bool {
	walk := &walker{
		rulesets: rulesets,
		order:    map[string]int{},
		lowest:   map[string]int{},
		length:   map[string]int{},
		stuck:    map[string]bool{},
	}
	for key := range rulesets {
		if walk.order[key] == 0 {
			walk.visit(key)
		}
	}
	return walk.stuck
}

type walker struct {
	rulesets map[string]*Ruleset
	order    map[string]int // when a flag was first seen, from 1
	lowest   map[string]int // the earliest flag on the stack that it leads to
	length   map[string]int // of its chain; only of flags that are finished
	stuck    map[string]bool
	stack    []string
}

func (w *walker) visit(key string) {
	w.order[key] = len(w.order) + 1
	w.lowest[key] = w.order[key]
	w.stack = append(w.stack, key)
	for _, required := range w.rulesets[key].Requires {
		other := required.Flag
		if w.rulesets[other] == nil || w.length[other] > 0 {
			continue
		}
		if w.order[other] == 0 {
			w.visit(other)
		}
		if w.length[other] == 0 {
			w.lowest[key] = smaller(w.lowest[key], w.lowest[other])
		}
	}
	if w.lowest[key] < w.order[key] {
		return
	}
	first := len(w.stack) - 1
	for w.stack[first] != key {
		first--
	}
	w.finish(w.stack[first:])
	w.stack = w.stack[:first]
}

// finish deals with flags each of which leads to all the others.
func (w *walker) finish(group []string) {
	lengths := map[string]int{}
	for _, key := range group {
		longest := 0
		for _, required := range w.rulesets[key].Requires {
			longest = larger(longest, w.length[required.Flag]) // 0 for one of the group, and for one that is not there
			if required.Flag == key {
				w.stuck[key] = true
			}
		}
		lengths[key] = 1 + longest
	}
	for key, length := range lengths {
		w.length[key] = length
		if len(group) > 1 || length > maxChain {
			w.stuck[key] = true
		}
	}
}
