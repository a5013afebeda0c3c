;; H24: returns one MiB of the character that begins a terminal's control sequences.
(component
  (core module $m
    (memory (export "memory") 17)
    (func (export "run") (result i32)
      (memory.fill (i32.const 16) (i32.const 0x1b) (i32.const 1048576))
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 1048576))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (result string)
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
