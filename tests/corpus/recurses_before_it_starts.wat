;; H16: uses up the stack while it is instantiated.
(component
  (core module $m
    (memory 1)
    (func $start (call $start) (call $start))
    (start $start)
    (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
