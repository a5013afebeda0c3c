;; H07: returns case 7 of an option, which has two.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 0) "\07\00\00\00")
    (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (result (option u8))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
