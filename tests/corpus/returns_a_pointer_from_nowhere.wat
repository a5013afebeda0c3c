;; H07: returns a pointer to its result that is not in its memory.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (result i32) (i32.const -8)))
  (core instance $i (instantiate $m))
  (func (export "run") (result string)
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
