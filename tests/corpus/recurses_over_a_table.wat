;; H05: calls itself through a table until the stack ends.
(component
  (core module $m
    (type $next (func (result i32)))
    (table 1 funcref)
    (elem (i32.const 0) $run)
    (func $run (export "run") (type $next)
      (i32.add (i32.const 1) (call_indirect (type $next) (i32.const 0)))))
  (core instance $i (instantiate $m))
  (func (export "run") (result u32) (canon lift (core func $i "run"))))
