;; H05: calls itself until the stack ends.
(component
  (core module $m
    (func $run (export "run") (param i32) (result i32)
      (i32.add (i32.const 1) (call $run (i32.add (i32.const 1) (local.get 0)))))
    (func (export "start") (drop (call $run (i32.const 0)))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "start"))))
