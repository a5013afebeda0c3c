;; H02: fills a table over and over.
(component
  (core module $m
    (table 50000 funcref)
    (func (export "run")
      (loop $again
        (table.fill 0 (i32.const 0) (ref.null func) (i32.const 50000))
        (br $again))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
