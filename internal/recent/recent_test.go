package recent

import (
	"strconv"
	"sync"
	"testing"
)

// What is found is what was given for that very text, and the latest is there.
func TestTexts(t *testing.T) {
	var texts Texts[string]
	if _, ok := texts.Find(""); ok {
		t.Error("found what nobody has added")
	}
	for i := range 3 * MaxTexts {
		text := strconv.Itoa(i)
		texts.Add(text, text+"!")
		if got, ok := texts.Find(text); !ok || got != text+"!" {
			t.Fatalf("%s: %q, %t", text, got, ok)
		}
	}
	found := 0
	for i := range 3 * MaxTexts {
		if got, ok := texts.Find(strconv.Itoa(i)); ok {
			found++
			if want := strconv.Itoa(i) + "!"; got != want {
				t.Errorf("%d: %q", i, got)
			}
		}
	}
	if found > MaxTexts || found < MaxTexts/2 {
		t.Errorf("remembers %d texts", found)
	}
}

// One more text with the same place does not push out the one before it.
func TestPlaceIsShared(t *testing.T) {
	var texts Texts[int]
	texts.Add("first", 0)
	place := texts.place("first")
	for i := 1; ; i++ {
		if text := strconv.Itoa(i); texts.place(text) == place {
			texts.Add(text, i)
			break
		}
	}
	if _, ok := texts.Find("first"); !ok {
		t.Error("forgotten at once")
	}
}

// Many processors may look up and add at once.
func TestParallel(t *testing.T) {
	var texts Texts[int]
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 10_000 {
				text := strconv.Itoa(i % (2 * MaxTexts))
				if got, ok := texts.Find(text); !ok {
					texts.Add(text, i%(2*MaxTexts))
				} else if strconv.Itoa(got) != text {
					t.Errorf("%s: %d", text, got)
				}
			}
		})
	}
	group.Wait()
}

// To look up allocates nothing.
func TestFindAllocatesNothing(t *testing.T) {
	var texts Texts[*int]
	texts.Add("x", new(int))
	if got := testing.AllocsPerRun(100, func() { texts.Find("x") }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
