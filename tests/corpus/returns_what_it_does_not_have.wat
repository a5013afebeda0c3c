;; H07: returns a list of 1 GiB out of a memory of 64 KiB.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 0) "\00\00\00\00\00\00\00\40")
    (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (result (list u8))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
