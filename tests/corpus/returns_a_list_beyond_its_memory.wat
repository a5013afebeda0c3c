;; H07: returns a list that begins in its memory and ends behind it.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 0) "\f0\ff\00\00\20\00\00\00")
    (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (result (list u8))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
