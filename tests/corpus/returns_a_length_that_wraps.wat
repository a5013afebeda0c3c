;; H07: returns a list whose length in bytes is more than 32 bits hold.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 0) "\00\00\00\00\01\00\00\20")
    (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (result (list u64))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
