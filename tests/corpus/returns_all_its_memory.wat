;; H07: returns 48 MiB of bytes.
(component
  (core module $m
    (memory (export "memory") 768)
    (data (i32.const 0) "\00\00\00\00\00\00\00\03")
    (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (result (list u8))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
