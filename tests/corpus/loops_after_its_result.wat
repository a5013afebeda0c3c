;; H01: gives a result, and spins in the function that the host calls when it has read it.
(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\04\00\00\00done")
    (func (export "run") (result i32) (i32.const 0))
    (func (export "after") (param i32) (loop $again (br $again))))
  (core instance $i (instantiate $m))
  (func (export "run") (result string)
    (canon lift (core func $i "run") (memory (core memory $i "memory")) (post-return (core func $i "after")))))
