;; H22: calls the host from the function that runs when its result was read.
(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
  (core func $now (canon lower (func $clock "now")))
  (core module $m
    (import "" "now" (func $now (result i64)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\04\00\00\00done")
    (func (export "run") (result i32) (i32.const 0))
    (func (export "after") (param i32) (drop (call $now))))
  (core instance $i (instantiate $m (with "" (instance (export "now" (func $now))))))
  (func (export "run") (result string)
    (canon lift (core func $i "run") (memory (core memory $i "memory"))
      (post-return (core func $i "after")))))
